import { Inject, Injectable } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { TRANSPORT } from '../tokens.js';

/**
 * The microservice server that Nest starts: registers the consumers with the delivery transport. Nest closes its
 * server before it calls any shutdown hook, while deliveries are still under way. So `close` does nothing here, and
 * ConnectionsModule closes the transport.
 */
@Injectable()
export class DeliveryServer extends Server implements CustomTransportStrategy {
  constructor(@Inject(TRANSPORT) private readonly transport: Server & CustomTransportStrategy) {
    super();
  }

  override addHandler(pattern: unknown, handler: MessageHandler, isEvent?: boolean, extras?: Record<string, unknown>) {
    this.transport.addHandler(pattern, handler, isEvent, extras);
  }

  listen(callback: () => void): void {
    this.transport.listen(callback);
  }

  close(): void {}

  on(): void {}

  unwrap<T>(): T {
    return this.transport.unwrap<T>();
  }
}
