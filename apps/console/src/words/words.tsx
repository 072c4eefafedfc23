import { Code } from '@mantine/core';
import { Fragment } from 'react';

/** A text of the docs: the first letter is a capital, names between backticks are in a fixed font. */
export function Words({ text, isSentence = false }: { text: string; isSentence?: boolean }) {
  const end = isSentence && !text.endsWith('.') ? '.' : '';
  const sentence = text.charAt(0).toUpperCase() + text.slice(1) + end;
  return sentence.split('`').map((part, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text do not change their places.
      <Code key={index}>{part}</Code>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text do not change their places.
      <Fragment key={index}>{part}</Fragment>
    ),
  );
}
