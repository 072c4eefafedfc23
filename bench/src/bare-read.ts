// The limit for reads: a Nest and Fastify handler that validates an id and returns one row, queried through a pool.
// It calls decorators as functions, because Node runs this file by stripping its types.

import 'reflect-metadata';
import { Controller, Get, Module, Param, StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { z } from 'zod';

const schema = z.object({ id: z.uuid() });
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

class BareController {
  async read({ id }: z.infer<typeof schema>): Promise<object> {
    const { rows } = await pool.query({
      name: 'read',
      text: 'select id, recipient_id, category, channels, priority, created_at, total from notifications where tenant_id = $1 and id = $2',
      values: [process.env.TENANT, id],
    });
    return rows[0];
  }
}
Controller('api/v1')(BareController);
const descriptor = Object.getOwnPropertyDescriptor(BareController.prototype, 'read')!;
Get('notifications/:id')(BareController.prototype, 'read', descriptor);
Param({ schema })(BareController.prototype, 'read', 0);

class BareModule {}
Module({ controllers: [BareController] })(BareModule);

const app = await NestFactory.create<NestFastifyApplication>(BareModule, new FastifyAdapter(), { logger: false });
app.useGlobalPipes(new StandardSchemaValidationPipe());
await app.listen(Number(process.env.PORT), '127.0.0.1');
console.log('ready');
process.on('SIGTERM', () => process.exit(0));
