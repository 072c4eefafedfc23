import { NIL_ID, timeOfId } from '#domain';
import type { Database } from '../../../database.js';
import { type Page, type PageRequest, toCursor, toPage } from '../../../page.js';
import type { DeliveryFilter } from './delivery-filter.js';
import { type FoundDelivery, type SearchRow, searchStatement } from './search-statement.js';

/** A page may be short or empty although more pages follow; `searchedUntil` then says how far it came. */
export type SearchPage = Page<FoundDelivery> & { searchedUntil: Date | null };

/** Searches the deliveries of one tenant, except those to webhook endpoints. */
export class DeliverySearchStore {
  constructor(private readonly database: Database) {}

  /** Newest first; those of one recipient or address in the order of their notifications. */
  async search(tenantId: string, filter: DeliveryFilter, page: PageRequest): Promise<SearchPage> {
    const statement = searchStatement(tenantId, filter, page);
    if (statement === null) return { rows: [], nextCursor: null, searchedUntil: null };
    const rows = await this.database.queryForTenant<SearchRow>(tenantId, statement);
    const found = toPage(
      rows.filter(({ id }) => id !== null),
      page.limit,
      ({ key, id }) => `${key}:${id}`,
    );
    const frontier = rows[0]?.frontier ?? null;
    if (found.nextCursor !== null || frontier === null) return { ...found, searchedUntil: null };
    return {
      rows: found.rows,
      nextCursor: toCursor(`${frontier}:${NIL_ID}`),
      searchedUntil: new Date(timeOfId(frontier)),
    };
  }
}
