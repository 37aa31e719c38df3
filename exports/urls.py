"""The HTTP paths of exports."""

from __future__ import annotations

from django.urls import path

from .views import erasures, ibl_reports, ibl_tasks, own, stream, timetable

EXPORTS = "api/v1/exports/"
USER = "api/ai-mentor/orgs/<str:org>/users/<str:user_id>/"
REPORTS = "api/reports/platforms/<str:key>/"

urlpatterns = [
    path(EXPORTS, own.Exports.as_view()),
    path(f"{EXPORTS}stream.csv", stream.Stream.as_view()),
    path(f"{EXPORTS}<uuid:export_id>/", own.OneExport.as_view()),
    path(f"{EXPORTS}<uuid:export_id>/manifest/", own.Manifest.as_view()),
    path(f"{EXPORTS}<uuid:export_id>/download/", own.Download.as_view()),
    path(f"{EXPORTS}<uuid:export_id>/file/<str:signature>/", own.LinkedFile.as_view()),
    path("api/v1/erasures/", erasures.Erasures.as_view()),
    path("api/v1/erasures/<uuid:erasure_id>/", erasures.OneErasure.as_view()),
    path("api/v1/export-schedules/", timetable.Schedules.as_view()),
    path("api/v1/export-schedules/<uuid:schedule_id>/", timetable.OneSchedule.as_view()),
    # ibl.ai's clients write some of these with a slash at the end and some without.
    path(f"{USER}tasks/sessions/<uuid:session_id>/", ibl_tasks.SessionTasks.as_view()),
    path(f"{USER}sessions/<uuid:session_id>/tasks/<str:task_id>/", ibl_tasks.SessionTaskFile.as_view()),
    path(f"{USER}export-chathistory/", ibl_tasks.UserTasks.as_view()),
    path(f"{USER}downloads/tasks/<str:task_id>/", ibl_tasks.UserTaskFile.as_view()),
    path(f"{USER}tasks/<str:task_id>", ibl_tasks.TaskState.as_view()),
    path(f"{USER}tasks/<str:task_id>/", ibl_tasks.TaskState.as_view()),
    path(REPORTS, ibl_reports.Reports.as_view()),
    path(f"{REPORTS}new", ibl_reports.NewReport.as_view()),
    path(f"{REPORTS}new/", ibl_reports.NewReport.as_view()),
    path(f"{REPORTS}<str:report_name>", ibl_reports.OneReport.as_view()),
    path(f"{REPORTS}<str:report_name>/", ibl_reports.OneReport.as_view()),
    path(f"{REPORTS}<str:task_id>/download", ibl_reports.ReportFile.as_view()),
    path(f"{REPORTS}<str:task_id>/download/", ibl_reports.ReportFile.as_view()),
]
