import { Route, Routes } from 'react-router';
import { TopicList } from './topic-list';
import { TopicPage } from './topic-page';

export default function Topics() {
  return (
    <Routes>
      <Route index element={<TopicList />} />
      <Route path=":key" element={<TopicPage />} />
    </Routes>
  );
}
