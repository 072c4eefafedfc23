/** FNV-1a, 32 bits without a sign, over the UTF-16 units: cheap, the same in every process, and even enough to share work out by. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
