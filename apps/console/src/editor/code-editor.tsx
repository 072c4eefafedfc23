import { html } from '@codemirror/lang-html';
import { json } from '@codemirror/lang-json';
import { lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { editorSetup } from './editor-setup';
import { handlebarsTags } from './handlebars-tags';
import { type Fault, toDiagnostics } from './template-faults';

interface CodeEditorProps {
  label: string;
  language: 'html' | 'json' | 'text';
  value: string;
  onChange?: (text: string) => void;
  faults?: readonly Fault[];
  minHeight?: number;
}

const NO_FAULTS: readonly Fault[] = [];

/** CodeMirror, with the faults of the template at their places. Without `onChange` it is only read. */
export default function CodeEditor({
  label,
  language,
  value,
  onChange,
  faults = NO_FAULTS,
  minHeight = 320,
}: CodeEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const first = useRef(value);
  const isReadOnly = onChange === undefined;

  useEffect(() => {
    const view = new EditorView({
      parent: place.current!,
      doc: first.current,
      extensions: [
        editorSetup,
        languageOf(language),
        handlebarsTags,
        lintGutter(),
        EditorView.contentAttributes.of({ 'aria-label': label }),
        EditorView.lineWrapping,
        EditorView.theme({ '.cm-content, .cm-gutter': { minHeight: `${minHeight}px` } }),
        EditorState.readOnly.of(isReadOnly),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed.current?.(update.state.doc.toString());
        }),
      ],
    });
    editor.current = view;
    return () => {
      first.current = view.state.doc.toString();
      view.destroy();
    };
  }, [label, language, minHeight, isReadOnly]);

  useEffect(() => {
    const view = editor.current!;
    const { doc } = view.state;
    // The editor ends all lines with a line feed. A text with others is the same one, and not a change.
    if (doc.toString() !== value.replaceAll(/\r\n?/g, '\n'))
      view.dispatch({ changes: { from: 0, to: doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const view = editor.current!;
    view.dispatch(setDiagnostics(view.state, toDiagnostics(view.state.doc, faults)));
  }, [faults]);

  return <div ref={place} className="editor" />;
}

function languageOf(language: CodeEditorProps['language']): Extension {
  return language === 'html' ? html() : language === 'json' ? json() : [];
}
