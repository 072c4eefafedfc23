import { cancelTopicSend, expandTopicSend } from '#database';
import type { JobKind } from './job-kind.js';

/** Creates the deliveries of a send to a topic, and cancels those that wait. */
export const topicSend: JobKind = { kind: 'topic_send', runChunk: expandTopicSend, cancelChunk: cancelTopicSend };
