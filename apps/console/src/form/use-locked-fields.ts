import { type RefObject, useLayoutEffect, useRef } from 'react';

interface LockedFields {
  ref: RefObject<HTMLDivElement | null>;
  inert: boolean;
}

/**
 * For the element around the fields of a form. Nothing in it can be changed while the form is saved, because the stored
 * version replaces the fields afterwards. `inert` also locks the code editors, which `<fieldset disabled>` does not.
 * If the save fails, the element that had the focus has it again.
 */
export function useLockedFields(isSaving: boolean): LockedFields {
  const ref = useRef<HTMLDivElement>(null);
  const lastFocused = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    const focused = document.activeElement;
    if (isSaving && focused instanceof HTMLElement && ref.current?.contains(focused)) {
      lastFocused.current = focused;
      // Browsers differ in whether an inert element reports that it lost the focus. Lists of suggestions close then.
      focused.blur();
    } else if (!isSaving) {
      if (focused === document.body) lastFocused.current?.focus();
      lastFocused.current = null;
    }
  }, [isSaving]);
  return { ref, inert: isSaving };
}
