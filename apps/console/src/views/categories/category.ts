import type { CategoriesGetResponse } from '#client';

export type Category = CategoriesGetResponse;

/** The handling of a delivery of the category in quiet hours. */
export const HOLD_CHOICES = [
  { value: 'hold', label: 'wait' },
  { value: 'combine', label: 'wait, then combine' },
  { value: 'downgrade', label: 'move to the inbox' },
  { value: 'drop', label: 'drop' },
];

/** The handling of one beyond a cap. */
export const CAP_CHOICES = HOLD_CHOICES.filter(({ value }) => value !== 'combine');
