import { Route, Routes } from 'react-router';
import { ScheduleList } from './schedule-list';
import { SchedulePage } from './schedule-page';

export default function Schedules() {
  return (
    <Routes>
      <Route index element={<ScheduleList />} />
      <Route path=":id" element={<SchedulePage />} />
    </Routes>
  );
}
