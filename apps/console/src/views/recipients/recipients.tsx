import { Route, Routes } from 'react-router';
import { RecipientList } from './recipient-list';
import { RecipientPage } from './recipient-page';

export default function Recipients() {
  return (
    <Routes>
      <Route index element={<RecipientList />} />
      <Route path=":recipientId" element={<RecipientPage />} />
      <Route path=":recipientId/:tab" element={<RecipientPage />} />
    </Routes>
  );
}
