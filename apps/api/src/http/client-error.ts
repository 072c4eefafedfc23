import type { Socket } from 'node:net';
import { isStreaming } from './streamed-body.js';

/** How long a client may go on sending after the answer. */
const LINGER_MS = 1_000;

const STATUS_LINES: Record<string, string> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

/**
 * Answers what cannot be read as a request. What the client still sends is read for a moment: a connection that closes
 * with unread data is reset, and the client may then never see the answer. A request that took too long is not read on:
 * its end could still arrive, and the request would be carried out after its 408.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // After the answer, each further piece of data is a new error.
  if (socket.writableEnded) return;
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTimeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  // Node reports the time-out once and leaves the connection to this function.
  if (isTimeout && isStreaming(socket)) return;
  const status = STATUS_LINES[error.code ?? ''] ?? '400 Bad Request';
  const answer = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
  if (isTimeout) {
    socket.write(answer);
    socket.destroy();
    return;
  }
  socket.end(answer);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
