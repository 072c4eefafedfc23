import { createHash, type Hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JobLinesStore, type StagedLine } from '#database';
import { DomainError, type FieldError, newId, recipientIdOf, validationFailed } from '#domain';
import type { Caller } from '../access/access.js';
import { checkBodyShape } from '../http/body-shape.js';
import { readItem } from '../http/read-item.js';
import { validate } from '../http/request-schema.pipe.js';
import { CheckSend, itemErrors } from '../notifications/check-send.js';
import { LocalTimes } from '../notifications/local-times.js';
import { type BulkItem, bulkItem, type UploadHead, uploadHead } from '../notifications/notification.schema.js';
import { type ParseJson, parseLine } from './parse-line.js';
import { type RawLine, readLines } from './read-lines.js';

/** Lines and bytes that are stored at once. */
const BATCH_LINES = 1_000;
const BATCH_BYTES = 1024 * 1024;
/** Longest id of a recipient. */
const MAX_ID = 255;
/** Errors that are kept of a line, and characters of a pointer and a message: both may quote a key of any length. */
const KEPT_ERRORS = 10;
const KEPT_CHARACTERS = 500;

export interface StagedUpload {
  jobId: string;
  head: UploadHead;
  /** Lines of recipients, with those that are not valid. */
  total: number;
  /** Hexadecimal SHA-256 of the bytes. */
  bodyHash: string;
}

type Line = StagedLine & { item: BulkItem | null };

/** Reads an upload and stores its lines while they arrive, so that memory does not grow with the upload. */
@Injectable()
export class StageUpload {
  constructor(
    private readonly lines: JobLinesStore,
    private readonly checkSend: CheckSend,
    private readonly localTimes: LocalTimes,
  ) {}

  /**
   * Throws `validation_failed` or `unknown_template` for the first line or if no other line follows,
   * `payload_too_large`, and `unavailable`. What has been stored by then is deleted later.
   */
  async run(caller: Caller, body: AsyncIterable<Buffer>, parse: ParseJson): Promise<StagedUpload> {
    const jobId = newId();
    const hash = createHash('sha256');
    let head: UploadHead | undefined;
    let batch: Line[] = [];
    let bytes = 0;
    let total = 0;
    const flush = async (): Promise<void> => {
      if (!head || batch.length === 0) return;
      await this.stage(caller, jobId, head, batch);
      total += batch.length;
      batch = [];
      bytes = 0;
    };
    for await (const lines of readLines(hashed(body, hash))) {
      for (const line of lines) {
        if (!head) {
          head = await this.readHead(caller, line, parse);
          continue;
        }
        batch.push(readLine(line, parse));
        bytes += line.bytes?.length ?? 0;
        if (batch.length >= BATCH_LINES || bytes >= BATCH_BYTES) await flush();
      }
    }
    await flush();
    if (!head || total === 0) throw tooShort(head === undefined);
    return { jobId, head, total, bodyHash: hash.digest('hex') };
  }

  private async readHead(caller: Caller, line: RawLine, parse: ParseJson): Promise<UploadHead> {
    const parsed = parseLine(line, parse);
    if ('errors' in parsed) throw ofLine(line, parsed.errors);
    const { value } = parsed;
    checkBodyShape(value);
    const { data: head, errors: invalid } = validate(uploadHead, value);
    if (invalid) throw ofLine(line, invalid);
    const errors = await this.checkSend.shared(caller, head, head.payload);
    if (errors.length > 0) throw ofLine(line, errors);
    return head;
  }

  /** Makes the checks that read profiles and templates, then stores the lines. */
  private async stage(caller: Caller, jobId: string, head: UploadHead, batch: Line[]): Promise<void> {
    const valid = batch.filter((line): line is Line & { item: BulkItem } => line.item !== null);
    const localTimes = await this.localTimes.of(
      caller,
      head,
      valid.map(({ item }) => item),
    );
    const rejected = new Map<Line, FieldError[]>();
    for (const [position, line] of valid.entries()) {
      line.scheduledAt = localTimes[position] ?? null;
      const errors = itemErrors(head, line.item, localTimes[position]);
      errors.push(...(await this.checkSend.payload(caller, head, line.item.payload, head.payload)));
      if (errors.length > 0) rejected.set(line, errors);
    }
    const staged = batch.map((line) => {
      const errors = rejected.get(line);
      return errors ? { ...line, item: null, rejection: rejectionOf(errors) } : line;
    });
    await this.lines.stage(caller.tenantId, jobId, staged);
  }
}

async function* hashed(chunks: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function readLine(raw: RawLine, parse: ParseJson): Line {
  const none = { line: raw.line, recipientId: null, item: null, scheduledAt: null, rejection: null };
  const parsed = parseLine(raw, parse);
  if ('errors' in parsed) return { ...none, rejection: rejectionOf(parsed.errors) };
  const { item, errors } = readItem(bulkItem, parsed.value);
  if (item) return { ...none, recipientId: recipientIdOf(item), item };
  return { ...none, recipientId: givenRecipient(parsed.value), rejection: rejectionOf(errors) };
}

/** The id in an item that is not valid. */
function givenRecipient(value: unknown): string | null {
  const { recipient_id: id, recipient } = (value ?? {}) as { recipient_id?: unknown; recipient?: { id?: unknown } };
  const given = recipient?.id ?? id;
  return typeof given === 'string' && given.length <= MAX_ID && given.isWellFormed() && !given.includes('\0')
    ? given
    : null;
}

function rejectionOf(errors: FieldError[]): StagedLine['rejection'] {
  const kept = errors.slice(0, KEPT_ERRORS).map(({ pointer, code, message }) => ({
    pointer: cut(pointer),
    code,
    message: cut(message),
  }));
  return { code: validationFailed(errors).code, errors: kept };
}

function cut(text: string): string {
  return text.length > KEPT_CHARACTERS ? `${text.slice(0, KEPT_CHARACTERS - 3).toWellFormed()}...` : text;
}

function ofLine({ line }: RawLine, errors: FieldError[]): DomainError {
  const { code, message } = validationFailed(errors);
  return new DomainError(code, `Line ${line}, the common part: ${message}`, { errors });
}

function tooShort(isEmpty: boolean): DomainError {
  const message = isEmpty
    ? 'the first line must be the common part of the send'
    : 'at least one recipient must follow the first line';
  return new DomainError('validation_failed', message, { errors: [{ pointer: '/', code: 'required', message }] });
}
