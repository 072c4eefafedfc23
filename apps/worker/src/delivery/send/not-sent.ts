/** The delivery was not sent: the worker is stopping, or the intent could not be committed (then `cause` is set). */
export class NotSent extends Error {
  override readonly name = 'NotSent';
}
