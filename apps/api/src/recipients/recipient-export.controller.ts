import { Readable } from 'node:stream';
import { Controller, Get, Param, StreamableFile } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type AuditNote, RecipientExportStore } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { exportLine, recipientParam } from './recipient.schema.js';

const NDJSON = 'application/x-ndjson';

@ApiTags('Recipients')
@Controller('api/v1/recipients/:id/export')
export class RecipientExportController {
  constructor(private readonly store: RecipientExportStore) {}

  @Get()
  @RequireApiKey('recipients:read')
  @Audited('recipient.exported')
  @Answers({
    summary: 'Export everything stored about a recipient as NDJSON, one line for each row',
    operationId: 'Recipients_export',
    status: 200,
    schema: exportLine,
    contentType: NDJSON,
    errors: ['not_found'],
  })
  async export(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: { id: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<StreamableFile> {
    if (!(await this.store.begin(tenantId, id, audit))) throw notFound('recipient', id);
    const lines = withEnds(id, this.store.lines(tenantId, id));
    return new StreamableFile(Readable.from(lines, { objectMode: false }), { type: NDJSON });
  }
}

/** A reader knows by the last line that the export is complete. */
async function* withEnds(id: string, lines: AsyncIterable<string>): AsyncGenerator<string> {
  yield lineOf('export', { recipient_id: id, exported_at: new Date().toISOString() });
  let count = 0;
  for await (const line of lines) {
    count += 1;
    yield `${line}\n`;
  }
  yield lineOf('end', { lines: count });
}

function lineOf(kind: string, data: Record<string, unknown>): string {
  return `${JSON.stringify({ kind, data })}\n`;
}
