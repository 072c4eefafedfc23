// What the HTTP server must know of a route before it reads a body: who may call it, and what its body may be. Decorators
// put it into Fastify's route options, where hooks and content type parsers find it.

import { SetMetadata } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Access } from './access-rule.js';
import type { BodyLimits } from './body-shape.js';

export interface CarillonRouteConfig {
  access?: Access;
  /** Without it: DEFAULT_BODY_LIMITS. */
  body?: BodyLimits;
  /** The body is kept as the text that came. */
  rawBody?: boolean;
}

const ROUTE_CONFIG = 'carillon:route-config';

/** Adds to a route's configuration; several decorators of one method each add their part. */
export function routeConfig(part: CarillonRouteConfig): MethodDecorator {
  return (target, name, descriptor) => {
    const before = Reflect.getMetadata(ROUTE_CONFIG, descriptor.value as object) as CarillonRouteConfig | undefined;
    const merged = { ...before, ...part };
    SetMetadata(ROUTE_CONFIG, merged)(target, name, descriptor as PropertyDescriptor);
    RouteConfig(merged)(target, name, descriptor as PropertyDescriptor);
  };
}

export function routeConfigOf(request: FastifyRequest): CarillonRouteConfig {
  return request.routeOptions.config as CarillonRouteConfig;
}

/** For a route that takes more than DEFAULT_BODY_LIMITS. */
export const LargeBody = (body: BodyLimits): MethodDecorator => routeConfig({ body });
