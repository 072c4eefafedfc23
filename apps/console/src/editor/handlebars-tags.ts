import { Decoration, MatchDecorator, ViewPlugin, type ViewUpdate } from '@codemirror/view';

const tag = new MatchDecorator({
  regexp: /\{\{[^}\n]*\}\}\}?/g,
  decoration: () => Decoration.mark({ class: 'cm-handlebars' }),
});

/** Marks `{{name}}` in every language. */
export const handlebarsTags = ViewPlugin.define(
  (view) => ({
    decorations: tag.createDeco(view),
    update(update: ViewUpdate) {
      this.decorations = tag.updateDeco(update, this.decorations);
    },
  }),
  { decorations: ({ decorations }) => decorations },
);
