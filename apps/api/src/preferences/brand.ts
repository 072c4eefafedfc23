// The tenant's name and colour on the pages that recipients see.

import type { TenantSettings } from '#domain';

export interface Brand {
  name: string;
  /** CSS. */
  style: string;
}

const DEFAULT_COLOR = '#3d4fd6';

export function brandOf({ name, settings }: { name: string; settings: TenantSettings }): Brand {
  const color = settings.brand?.color ?? DEFAULT_COLOR;
  return { name: settings.brand?.name ?? name, style: `:root { --brand: ${color}; --onbrand: ${textOn(color)}; }\n` };
}

/** Black or white, whichever has the larger contrast: at least 4.5:1 on every colour, as WCAG 2.2 (1.4.3) requires. */
export function textOn(color: string): '#000' | '#fff' {
  const luminance = luminanceOf(color);
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? '#000' : '#fff';
}

/** The relative luminance of WCAG 2.2, 0 to 1. */
export function luminanceOf(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
