import { Module } from '@nestjs/common';
import { OwnApiKeyController } from './own-api-key.controller.js';

@Module({ controllers: [OwnApiKeyController] })
export class OwnApiKeyModule {}
