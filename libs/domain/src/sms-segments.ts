/** The basic table of GSM 03.38: one septet for each character. */
const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
/** The extension table: two septets, because an escape comes first. */
const EXTENSION = new Set('\f^{}\\[~]|€');

/** The highest `sms_max_segments` a tenant may set. */
export const MOST_SMS_SEGMENTS = 100;

export interface SmsSegments {
  encoding: 'gsm7' | 'ucs2';
  segments: number;
  /** Septets, or UTF-16 units. */
  units: number;
}

/**
 * The number of messages that a text is divided into (3GPP TS 23.040): one message has 160 septets or 70 UTF-16 units;
 * each of several has 153 or 67, because a header joins them. A character of two units is not divided.
 */
export function smsSegments(text: string): SmsSegments {
  const characters = [...text];
  const gsm = characters.every((character) => BASIC.has(character) || EXTENSION.has(character));
  const sizeOf = (character: string): number => (gsm ? (EXTENSION.has(character) ? 2 : 1) : character.length);
  const [whole, part] = gsm ? [160, 153] : [70, 67];
  const units = characters.reduce((sum, character) => sum + sizeOf(character), 0);
  const encoding = gsm ? 'gsm7' : 'ucs2';
  if (units <= whole) return { encoding, segments: 1, units };
  let [segments, free] = [1, part];
  for (const character of characters) {
    const size = sizeOf(character);
    if (size > free) {
      segments += 1;
      free = part;
    }
    free -= size;
  }
  return { encoding, segments, units };
}
