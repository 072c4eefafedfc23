import { createTheme, Modal, ModalHeader } from '@mantine/core';

/** White on shade 7, for buttons, has a contrast of at least 4.5 (WCAG 2.2, 1.4.3). */
export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: 7,
  autoContrast: true,
  // Brighter colours get black text: either has a contrast of at least 4.5 at this luminance.
  luminanceThreshold: 0.18,
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
  respectReducedMotion: true,
  components: {
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
    // A `header` in a dialog counts as a second banner of the page.
    ModalHeader: ModalHeader.extend({ defaultProps: { component: 'div' } as Record<string, string> }),
  },
});
