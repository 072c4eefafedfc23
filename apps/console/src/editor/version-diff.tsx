import { MergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { editorSetup } from './editor-setup';

interface VersionDiffProps {
  before: string;
  after: string;
  beforeLabel: string;
  afterLabel: string;
}

/** Two texts side by side, with their differences. */
export default function VersionDiff({ before, after, beforeLabel, afterLabel }: VersionDiffProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const part = (doc: string, label: string) => ({
      doc,
      extensions: [
        editorSetup,
        EditorState.readOnly.of(true),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': label }),
      ],
    });
    const view = new MergeView({
      parent: place.current!,
      a: part(before, beforeLabel),
      b: part(after, afterLabel),
      collapseUnchanged: { margin: 3, minSize: 6 },
    });
    return () => view.destroy();
  }, [before, after, beforeLabel, afterLabel]);
  return <div ref={place} className="editor" />;
}
