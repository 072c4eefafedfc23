import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ApiKeysStore } from '#database';
import { DomainError } from '#domain';
import { type Caller, CurrentCaller, RequireAnyApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { ownApiKeyView, toOwnApiKeyView } from './own-api-key.schema.js';

@ApiTags('API keys')
@Controller('api/v1/api-key')
export class OwnApiKeyController {
  constructor(private readonly keys: ApiKeysStore) {}

  @Get()
  @RequireAnyApiKey()
  @Answers({
    summary: 'The tenant, the mode and the scopes of the API key of the request. Every key may use this route',
    status: 200,
    schema: ownApiKeyView,
    errors: ['not_found'],
  })
  async get(@CurrentCaller() { keyId }: Caller) {
    const key = keyId === null ? null : await this.keys.describe(keyId);
    if (!key) throw new DomainError('not_found', 'The request was not made with an API key that is still valid.');
    return toOwnApiKeyView(key);
  }
}
