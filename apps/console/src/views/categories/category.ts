import type { CategoriesGetResponse } from '#client';

export type Category = CategoriesGetResponse;

/** What happens to a delivery of the category in quiet hours. */
export const HOLD_CHOICES = [
  { value: 'hold', label: 'wait' },
  { value: 'combine', label: 'wait, then combine' },
  { value: 'downgrade', label: 'move to the inbox' },
  { value: 'drop', label: 'drop' },
];

/** What happens to one beyond a cap. */
export const CAP_CHOICES = HOLD_CHOICES.filter(({ value }) => value !== 'combine');
