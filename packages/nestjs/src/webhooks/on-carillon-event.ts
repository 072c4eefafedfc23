import type { WebhookEvent } from '@carillon/client';
import { DiscoveryService } from '@nestjs/core';

export type CarillonEventType = WebhookEvent['type'];
/** The event with this type. */
export type CarillonEventOf<Type extends CarillonEventType> = Extract<WebhookEvent, { type: Type }>;

/** The metadata of a method that gets events. `*` are all types. */
export const EventTypes = DiscoveryService.createDecorator<readonly (CarillonEventType | '*')[]>();

type Taken<Type> = Type extends CarillonEventType ? CarillonEventOf<Type> : WebhookEvent;

/**
 * Marks a method of a provider or a controller that gets the events of these types, or all with `*`. The compiler
 * checks that the method takes such an event.
 */
export function OnCarillonEvent<Type extends CarillonEventType | '*'>(...types: [Type, ...Type[]]) {
  return <Method extends (event: Taken<Type>) => unknown>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    EventTypes(types)(target, name, descriptor);
  };
}
