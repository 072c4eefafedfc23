import type { TopicsGetResponse } from '#client';

export type Topic = TopicsGetResponse;
