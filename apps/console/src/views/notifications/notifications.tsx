import { Route, Routes } from 'react-router';
import { NotificationList } from './notification-list';
import { NotificationPage } from './notification-page';

export default function Notifications() {
  return (
    <Routes>
      <Route index element={<NotificationList />} />
      <Route path=":id" element={<NotificationPage />} />
    </Routes>
  );
}
