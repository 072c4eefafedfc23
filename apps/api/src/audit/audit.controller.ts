import { Readable } from 'node:stream';
import { Controller, Get, Query, StreamableFile } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AuditStore } from '#database';
import { RequireOperator } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { listOf, listView } from '../http/schemas.js';
import {
  type AuditQuery,
  auditEntryView,
  auditExportQuery,
  auditQuery,
  toAuditFilter,
  toAuditView,
} from './audit.schema.js';

const NDJSON = 'application/x-ndjson';

/** The audit log: who changed what, when and from where. */
@ApiTags('Operator')
@Controller('internal/audit')
export class AuditController {
  constructor(private readonly audit: AuditStore) {}

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List the audit log, newest first',
    status: 200,
    schema: listOf(auditEntryView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: auditQuery }) query: AuditQuery & { limit: number; cursor?: string }) {
    return listView(await this.audit.list(toAuditFilter(query), query), toAuditView);
  }

  @Get('export')
  @RequireOperator()
  @Answers({
    summary: 'Export the audit log as NDJSON, newest first, one entry per line',
    status: 200,
    schema: auditEntryView,
    contentType: NDJSON,
    errors: ['validation_failed'],
  })
  export(@Query({ schema: auditExportQuery }) query: AuditQuery): StreamableFile {
    const chunks = this.audit.chunks(toAuditFilter(query));
    return new StreamableFile(Readable.from(linesOf(chunks), { objectMode: false }), { type: NDJSON });
  }
}

async function* linesOf(chunks: ReturnType<AuditStore['chunks']>): AsyncGenerator<string> {
  for await (const entries of chunks)
    yield `${entries.map((entry) => JSON.stringify(toAuditView(entry))).join('\n')}\n`;
}
