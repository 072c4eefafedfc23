/** The locales in which a template is looked up, best first: `fr-CA` → `fr` → the tenant's default → `en`. */
export function localeChain(locale: string | null, tenantDefault: string | null): string[] {
  const chain: string[] = [];
  for (const wanted of [locale, tenantDefault, 'en']) {
    for (let tag = wanted; tag; tag = tag.includes('-') ? tag.slice(0, tag.lastIndexOf('-')) : null) {
      if (!chain.includes(tag)) chain.push(tag);
    }
  }
  return chain;
}
