import { useCallback, useEffect, useRef } from 'react';

interface Listeners {
  /** Another tab has a session that this one does not know: they share the cookie. */
  onOther: () => void;
  onSignedOut: () => void;
}

const SIGNED_OUT = '';

/**
 * Tells the other tabs of this browser whose session it is, and hears it from them: without that, a tab would go on
 * with the page of one tenant and the session of another. `identity` is null without a session. Returns a function that
 * tells them that the person has signed out.
 */
export function useOtherTabs(identity: string | null, listeners: Listeners): () => void {
  const latest = useRef({ identity, listeners });
  const channel = useRef<BroadcastChannel | null>(null);
  useEffect(() => {
    latest.current = { identity, listeners };
  });
  useEffect(() => {
    const opened = new BroadcastChannel('carillon-console-session');
    channel.current = opened;
    opened.onmessage = ({ data }: MessageEvent<string>) => {
      const { identity: own, listeners: told } = latest.current;
      if (data === SIGNED_OUT) told.onSignedOut();
      else if (data !== own) told.onOther();
    };
    return () => opened.close();
  }, []);
  useEffect(() => {
    if (identity !== null) channel.current?.postMessage(identity);
  }, [identity]);
  return useCallback(() => channel.current?.postMessage(SIGNED_OUT), []);
}
