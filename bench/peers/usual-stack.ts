// The usual stack for the same request: Nest on Express, class-validator, an API key looked up by its hash, Prisma `create`
// with an idempotency key, then a BullMQ job. It calls decorators as functions, because Node runs it by stripping its types.

import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { Body, Controller, Headers, HttpCode, HttpException, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { PrismaPg } from '@prisma/adapter-pg';
import { Queue } from 'bullmq';
import * as classTransformer from 'class-transformer';
import * as classValidator from 'class-validator';
import { uuid7 } from '../src/bench-environment.ts';
import { PrismaClient } from './generated/client.ts';

const TENANT = process.env.TENANT!;
const { hostname, port } = new URL(process.env.REDIS_URL!);
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL!, max: 20 }) });
const queue = new Queue('usual', { connection: { host: hostname, port: Number(port) } });
const keyHash = createHash('sha256').update(process.env.API_KEY!).digest('hex');

const { IsIn, IsObject, IsString } = classValidator;

class SendBody {
  recipient_id!: string;
  channel!: string;
  template_id!: string;
  payload!: Record<string, unknown>;
}
IsString()(SendBody.prototype, 'recipient_id');
IsIn(['email', 'in_app'])(SendBody.prototype, 'channel');
IsString()(SendBody.prototype, 'template_id');
IsObject()(SendBody.prototype, 'payload');

class UsualController {
  async send(body: SendBody, key: string, idempotencyKey: string): Promise<object> {
    if (createHash('sha256').update(key).digest('hex') !== keyHash) throw new HttpException('unauthenticated', 401);
    const made = await prisma.usualNotification.create({
      data: {
        id: uuid7(),
        tenantId: TENANT,
        recipientId: body.recipient_id,
        channel: body.channel,
        templateId: body.template_id,
        payload: body.payload as object,
        idempotencyKey,
        deliveries: { create: [{ id: uuid7(), channel: body.channel }] },
      },
      include: { deliveries: true },
    });
    await queue.add('deliver', { deliveryId: made.deliveries[0]!.id }, { removeOnComplete: true });
    return { id: made.id, status: 'pending', channels: [made.channel], recipient_id: made.recipientId };
  }
}
Controller('api/v1')(UsualController);
const descriptor = Object.getOwnPropertyDescriptor(UsualController.prototype, 'send')!;
Post('notifications')(UsualController.prototype, 'send', descriptor);
HttpCode(202)(UsualController.prototype, 'send', descriptor);
Body()(UsualController.prototype, 'send', 0);
Headers('x-api-key')(UsualController.prototype, 'send', 1);
Headers('idempotency-key')(UsualController.prototype, 'send', 2);
Reflect.defineMetadata('design:paramtypes', [SendBody, String, String], UsualController.prototype, 'send');

class UsualModule {}
Module({ controllers: [UsualController] })(UsualModule);

const app = await NestFactory.create(UsualModule, new ExpressAdapter(), { logger: false });
app.useGlobalPipes(
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    transform: true,
    // Resolved from this file, not from Nest.
    validatorPackage: classValidator,
    transformerPackage: classTransformer,
  } as never),
);
await app.listen(Number(process.env.PORT), '127.0.0.1');
console.log('ready');
process.on('SIGTERM', () => process.exit(0));
