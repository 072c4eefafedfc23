// Route metadata that the HTTP server needs before it reads a body: the access rule and the body limits. Decorators put
// it into Fastify's route options, where hooks and content type parsers read it.

import { SetMetadata } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { AuditAction, Role, Scope } from '#domain';
import type { BodyLimits } from './body-shape.js';

/** The access rule of a route. Required: AccessGuard rejects routes without one. */
export type Access =
  | { kind: 'public' }
  /** Null: every key may use it. */
  | { kind: 'tenant'; scope: Scope | null }
  /** The operator's token, or a session of an operator. Default of `role`: viewer to read, admin to change. */
  | { kind: 'operator'; role?: Role | undefined }
  /** The console itself: without a session too, and on both listeners. */
  | { kind: 'console' }
  /** A recipient token, or an API key with X-Recipient-ID. */
  | { kind: 'recipient'; scope: Scope };

export interface CarillonRouteConfig {
  access?: Access;
  /** Default: DEFAULT_BODY_LIMITS. */
  body?: BodyLimits;
  /** The action that the route writes to the audit log. */
  audited?: AuditAction;
  /** It creates notifications: its request is the span `accept` of their traces. */
  accepts?: boolean;
  /** Keeps the body as unparsed text. */
  rawBody?: boolean;
  /** The handler reads the body while it arrives (streamed-body.ts). */
  streamedBody?: boolean;
  /** Of a page. Default: the policy of SECURITY_HEADERS, which allows nothing. */
  contentSecurityPolicy?: string;
}

const ROUTE_CONFIG = 'carillon:route-config';

/** Adds to the configuration of a route. Several decorators of one method are merged. */
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

/** For a route with other limits than DEFAULT_BODY_LIMITS. */
export const LimitedBody = (body: BodyLimits): MethodDecorator => routeConfig({ body });

/** For a route that creates notifications, or a schedule of them: it has a span. */
export const AcceptsNotifications = (): MethodDecorator => routeConfig({ accepts: true });
