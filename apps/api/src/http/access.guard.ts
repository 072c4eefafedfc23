import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { ACCESS, type CarillonRequest } from './access.js';
import type { Access } from './access-rule.js';

/** Rejects requests that were not authorized by their route's access rule, and routes that have no rule. */
export class AccessGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const name = `${context.getClass().name}.${context.getHandler().name}`;
    const access = this.reflector.get<Access | undefined>(ACCESS, context.getHandler());
    if (!access) throw new Error(`the route ${name} does not say who may call it`);
    // The same object: Fastify's route options hold the rule that the decorator made.
    if (context.switchToHttp().getRequest<CarillonRequest>().authorized !== access)
      throw new Error(`a request reached ${name} without being authorized`);
    return true;
  }
}
