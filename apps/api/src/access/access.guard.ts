import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Access } from '../http/route-config.js';
import { ACCESS, type CarillonRequest } from './access.js';

/** Rejects requests that were not authorized by their route's access rule, and routes that have no rule. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const name = `${context.getClass().name}.${context.getHandler().name}`;
    const access = this.reflector.get<Access | undefined>(ACCESS, context.getHandler());
    if (!access) throw new Error(`the route ${name} has no access rule`);
    // Compares identity: Fastify's route options hold the object that the decorator made.
    if (context.switchToHttp().getRequest<CarillonRequest>().authorized !== access)
      throw new Error(`a request reached ${name} without authorization`);
    return true;
  }
}
