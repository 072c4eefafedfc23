import { cancelTopicSend, expandTopicSend, type ReturnPlaces } from '#database';
import type { JobKind } from './job-kind.js';

/** Creates the deliveries of a send to a topic, and cancels those that wait. */
export const topicSend = (returnPlaces: Pick<ReturnPlaces, 'ofCancelled'>): JobKind => ({
  kind: 'topic_send',
  runChunk: expandTopicSend,
  cancelChunk: async (job, sql) => {
    const { cancelled, ...chunk } = await cancelTopicSend(job, sql);
    return { ...chunk, afterCommit: () => returnPlaces.ofCancelled(job.tenantId, cancelled) };
  },
});
