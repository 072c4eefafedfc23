// Iterators over the lists that have pages.

interface Page<Item> {
  data: Item[];
  next_cursor: string | null;
}

type ListOf<Method> = Method extends (options?: infer Options) => Promise<infer Answer>
  ? NonNullable<Answer> extends Page<infer Item>
    ? (options?: Options) => AsyncIterable<Item>
    : never
  : never;

type ListsOf<Group> = {
  [Name in keyof Group as ListOf<Group[Name]> extends never ? never : Name]: ListOf<Group[Name]>;
};

/** The groups of `Api` with their lists. Each returns an iterator over all items instead of one page. */
export type Each<Api> = {
  [Name in keyof Api as keyof ListsOf<Api[Name]> extends never ? never : Name]: ListsOf<Api[Name]>;
};

type Options = { query?: Record<string, unknown> };
type List = (options: Options) => Promise<Page<unknown>>;

/** The lists are looked up when they are called, so a new route needs no code here. */
export function eachOf<Api extends object>(api: Api): Each<Api> {
  const listsOf = (group: string): object =>
    lookUp((name) => (options: Options) => {
      const lists = (api as Record<string, Record<string, List>>)[group]!;
      return items((page) => lists[name]!(page), options);
    });
  return lookUp(listsOf) as Each<Api>;
}

function lookUp(found: (name: string) => unknown): object {
  return new Proxy({}, { get: (_target, name) => (typeof name === 'string' ? found(name) : undefined) });
}

async function* items(list: List, options: Options = {}): AsyncGenerator<unknown> {
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? options.query : { ...options.query, cursor };
    const page = await list({ ...options, query: query ?? {} });
    yield* page.data;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
