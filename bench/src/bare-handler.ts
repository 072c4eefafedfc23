// The limit for requests: a Nest and Fastify handler that only validates the same body with the same kind of schema.
// It calls decorators as functions, because Node runs this file by stripping its types.

import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post, StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';

const schema = z.strictObject({
  recipient_id: z.string(),
  channel: z.enum(['email', 'in_app']),
  template_id: z.string(),
  payload: z.record(z.string(), z.unknown()),
});

class BareController {
  send(body: z.infer<typeof schema>): object {
    return {
      id: '01900000-0000-7000-8000-000000000000',
      status: 'pending',
      channels: [body.channel],
      recipient_id: body.recipient_id,
    };
  }
}
Controller('api/v1')(BareController);
const descriptor = Object.getOwnPropertyDescriptor(BareController.prototype, 'send')!;
Post('notifications')(BareController.prototype, 'send', descriptor);
HttpCode(202)(BareController.prototype, 'send', descriptor);
Body({ schema })(BareController.prototype, 'send', 0);

class BareModule {}
Module({ controllers: [BareController] })(BareModule);

const app = await NestFactory.create<NestFastifyApplication>(BareModule, new FastifyAdapter(), { logger: false });
app.useGlobalPipes(new StandardSchemaValidationPipe());
await app.listen(Number(process.env.PORT), '127.0.0.1');
console.log('ready');
process.on('SIGTERM', () => process.exit(0));
