/** Texts are looked up by their first characters, so that a search takes as long for one address as for 100,000. */
const HEAD = 6;

/**
 * Finds addresses inside longer texts, in any case: as they are, as HTML of a template, and in the query of a URL. An
 * address shorter than six characters is found only as the whole text: it may be part of any word.
 */
export class AddressSearch {
  private readonly whole = new Set<string>();
  private readonly byHead = new Map<string, string[]>();

  constructor(addresses: readonly string[]) {
    for (const address of addresses) {
      // The only one of the characters that templates escape in HTML which an e-mail address may contain.
      const forms = [address, address.replaceAll("'", '&#x27;'), encodeURIComponent(address)];
      for (const form of new Set(forms.map((text) => text.toLowerCase()))) this.add(form);
    }
  }

  isIn(text: string): boolean {
    const lower = text.toLowerCase();
    if (this.whole.has(lower)) return true;
    if (this.byHead.size === 0) return false;
    for (let at = 0; at + HEAD <= lower.length; at++)
      if (this.byHead.get(lower.slice(at, at + HEAD))?.some((form) => lower.startsWith(form, at))) return true;
    return false;
  }

  private add(form: string): void {
    if (form.length < HEAD) {
      this.whole.add(form);
      return;
    }
    const head = form.slice(0, HEAD);
    const forms = this.byHead.get(head);
    if (forms) forms.push(form);
    else this.byHead.set(head, [form]);
  }
}
