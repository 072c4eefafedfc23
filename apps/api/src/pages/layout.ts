const STYLE = `
:root {
  color-scheme: light dark; --line: light-dark(#d8dbe2, #363b46); --soft: light-dark(#5b6372, #a2abbd);
  --paper: light-dark(#fff, #16191f); --ink: light-dark(#171a21, #e9ecf2);
  --tint: light-dark(#f4f5f8, #1e222a); --accent: light-dark(#3d4fd6, #93a0ff);
  --onaccent: light-dark(#fff, #10131c);
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--tint); }
header, main { max-width: 46rem; margin: 0 auto; padding: 1rem; }
header { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; }
header nav { margin-left: auto; display: flex; gap: 1rem; }
h1 { font-size: 1.35rem; margin: 0; }
a { color: var(--accent); }
.card {
  background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
  margin: 0 0 .75rem; overflow-wrap: anywhere;
}
.soft { color: var(--soft); font-size: .875rem; margin: 0; }
.badge {
  display: inline-block; min-width: 1.6rem; padding: 0 .45rem; border-radius: 1rem; background: var(--accent);
  color: var(--onaccent); text-align: center; font-weight: 600;
}
button {
  font: inherit; min-height: 2.75rem; padding: .4rem 1rem; border-radius: .5rem;
  border: 1px solid var(--accent); background: var(--accent); color: var(--onaccent); cursor: pointer;
}
button.plain { background: transparent; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
ul { list-style: none; margin: 0; padding: 0; }
h2 { font-size: 1.05rem; margin: 0 0 .25rem; }
pre { white-space: pre-wrap; font: inherit; margin: .5rem 0 0; }
iframe {
  width: 100%; min-height: 12rem; border: 1px solid var(--line); border-radius: .4rem; background: #fff;
  margin-top: .5rem;
}
.unread { border-left: 4px solid var(--accent); }
.row { display: flex; gap: .75rem; align-items: center; flex-wrap: wrap; margin: 0 0 1rem; }
`;

/** A page with navigation. Works on phones, in dark mode, with a keyboard and with a screen reader. */
export function layout(title: string, body: string, script: string, options: PageOptions = {}): string {
  const links = { '/': 'Start', '/mailbox': 'Mailbox', '/demo': 'Inbox', '/docs': 'API' };
  const anchors = Object.entries(links).map(([path, label]) => `<a href="${path}">${label}</a>`);
  const nav = `<nav aria-label="Pages">${anchors.join('')}</nav>`;
  return page(
    `${title} · Carillon`,
    `<h1>${title}</h1>${nav}`,
    `<main>${body}</main>\n<script>${script}</script>`,
    options,
  );
}

interface PageOptions {
  language?: string;
  direction?: 'ltr' | 'rtl';
  /** CSS, after that of all pages. */
  style?: string;
}

/** A page without navigation: recipients do not know Carillon. All texts are HTML. */
export function page(title: string, header: string, body: string, options: PageOptions = {}): string {
  const { language = 'en', direction = 'ltr', style = '' } = options;
  return `<!doctype html>
<html lang="${language}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${STYLE}${style}</style>
</head>
<body>
<header>${header}</header>
${body}
</body>
</html>
`;
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** JSON for use inside a script element; `</script>` in it cannot end the element. */
export function scriptValue(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
