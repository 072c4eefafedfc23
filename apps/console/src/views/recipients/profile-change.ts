import type { RecipientBody, RecipientsGetResponse } from '#client';

const FIELDS = ['email', 'phone', 'locale', 'timezone'] as const;

/** The fields of the form. Empty texts are nothing. */
export type ProfileForm = Record<(typeof FIELDS)[number], string>;

export function formOf(profile: RecipientsGetResponse | null): ProfileForm {
  const [email, phone, locale, timezone] = FIELDS.map((field) => profile?.[field] ?? '');
  return { email: email!, phone: phone!, locale: locale!, timezone: timezone! };
}

/** The body of a PATCH: only what was changed in the form, so that changes of others stay. */
export function changeOf(
  profile: RecipientsGetResponse | null,
  form: ProfileForm,
  attributes: Record<string, unknown>,
): RecipientBody {
  const before = formOf(profile);
  const changed = FIELDS.filter((field) => form[field].trim() !== before[field]);
  return {
    ...Object.fromEntries(changed.map((field) => [field, form[field].trim() || null])),
    ...attributesChange(profile?.attributes ?? {}, attributes),
  };
}

function attributesChange(before: Record<string, unknown>, after: Record<string, unknown>): RecipientBody {
  const change = mergePatchOf(before, after);
  return Object.keys(change).length > 0 ? { attributes: change } : {};
}

/** RFC 7396: a property that is gone is null. */
function mergePatchOf(before: Record<string, unknown>, after: Record<string, unknown>): Record<string, unknown> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changes = [...names].flatMap((name): [string, unknown][] => {
    const [old, next] = [before[name], after[name]];
    if (JSON.stringify(old) === JSON.stringify(next)) return [];
    if (!(name in after)) return [[name, null]];
    if (isObject(old) && isObject(next)) return [[name, mergePatchOf(old, next)]];
    return [[name, next]];
  });
  return Object.fromEntries(changes);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
