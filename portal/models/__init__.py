"""What we know: one file per noun."""

from portal.models.api_key import ApiKey
from portal.models.audit_event import AuditEvent, AuditHead
from portal.models.base import Base
from portal.models.customer import Contact, Customer
from portal.models.delivery import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from portal.models.event import Event, EventKind
from portal.models.exception_item import CAME_BACK, Cause, ExceptionItem, ExceptionState
from portal.models.factor import Factor, FactorKind, RecoveryCode, SpentProof
from portal.models.factor_reset import FactorReset, FactorResetAgreement, ResetOutcome
from portal.models.import_file import (
    FileState,
    ImportColumns,
    ImportFile,
    ImportFileRecord,
    ImportFileRow,
)
from portal.models.import_run import ImportKind, ImportResult, ImportRow, ImportRun
from portal.models.integration import (
    AUTOTASK,
    ApiUsage,
    CallSlot,
    Identifier,
    Integration,
    IntegrationRole,
    IntegrationState,
    IntegrationStatus,
    SyncCursor,
    TotalsMode,
    TotalsSource,
)
from portal.models.invoice import IS_UNPAID, Agreement, Invoice, InvoiceStatus
from portal.models.invoice_line import InvoiceLine
from portal.models.kept_sums import CustomerSum, InvoiceSum, PaymentSum
from portal.models.link import Invitation, LinkPurpose, LoginLink
from portal.models.mail import Mail, MailKind, MailSecret, MailState
from portal.models.membership import Membership, PastMember, Role
from portal.models.notice import Notice, NoticeChoice, NoticeKind
from portal.models.operating import Alarm, HealthReading, HealthState, Heartbeat, MetricCount
from portal.models.past import CustomerPast, InvoicePast
from portal.models.payment import (
    MOST_INVOICES,
    Allocation,
    ClosedAs,
    CreditApplication,
    Happened,
    IdempotencyKey,
    Payment,
    PaymentEvent,
    PaymentEventPart,
    PaymentMethod,
    PaymentState,
    Settlement,
)
from portal.models.pdf import InvoicePdf, PdfState, StoredFile
from portal.models.read_range import ReadRange
from portal.models.security_event import LOGIN_STARTED, SecurityEvent
from portal.models.staff_event import StaffEvent, StaffHead
from portal.models.support_visit import SupportRequest, SupportVisit, VisitMode
from portal.models.sync_run import (
    INCOMPLETE,
    LEFT,
    LINE_REMOVED,
    NOT_TAKEN_IN,
    SCHEDULED,
    RunState,
    SyncChange,
    SyncKind,
    SyncRun,
    SyncSchedule,
    SyncTrigger,
)
from portal.models.tenant import SupportAccess, Tenant
from portal.models.upkeep import Upkeep
from portal.models.user import LoginSession, User
from portal.models.webhook import EndpointState, MessageState, WebhookEndpoint, WebhookMessage, WebhookSecret
from portal.models.words import InvoiceWord, PaymentWord

__all__ = [
    "AUTOTASK",
    "CAME_BACK",
    "INCOMPLETE",
    "IS_UNPAID",
    "LEFT",
    "LINE_REMOVED",
    "LOGIN_STARTED",
    "MOST_INVOICES",
    "NOT_TAKEN_IN",
    "SCHEDULED",
    "Agreement",
    "Alarm",
    "Allocation",
    "ApiKey",
    "ApiUsage",
    "AttemptOutcome",
    "AuditEvent",
    "AuditHead",
    "Base",
    "CallSlot",
    "Cause",
    "ClosedAs",
    "Contact",
    "CreditApplication",
    "Customer",
    "CustomerPast",
    "CustomerSum",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "EndpointState",
    "Event",
    "EventKind",
    "ExceptionItem",
    "ExceptionState",
    "Factor",
    "FactorKind",
    "FactorReset",
    "FactorResetAgreement",
    "FileState",
    "Happened",
    "HealthReading",
    "HealthState",
    "Heartbeat",
    "IdempotencyKey",
    "Identifier",
    "ImportColumns",
    "ImportFile",
    "ImportFileRecord",
    "ImportFileRow",
    "ImportKind",
    "ImportResult",
    "ImportRow",
    "ImportRun",
    "Integration",
    "IntegrationRole",
    "IntegrationState",
    "IntegrationStatus",
    "Invitation",
    "Invoice",
    "InvoiceLine",
    "InvoicePast",
    "InvoicePdf",
    "InvoiceStatus",
    "InvoiceSum",
    "InvoiceWord",
    "LinkPurpose",
    "LoginLink",
    "LoginSession",
    "Mail",
    "MailKind",
    "MailSecret",
    "MailState",
    "Membership",
    "MessageState",
    "MetricCount",
    "Notice",
    "NoticeChoice",
    "NoticeKind",
    "PastMember",
    "Payment",
    "PaymentEvent",
    "PaymentEventPart",
    "PaymentMethod",
    "PaymentState",
    "PaymentSum",
    "PaymentWord",
    "PdfState",
    "ReadRange",
    "RecoveryCode",
    "ResetOutcome",
    "Role",
    "RunState",
    "SecurityEvent",
    "Settlement",
    "SpentProof",
    "StaffEvent",
    "StaffHead",
    "StoredFile",
    "SupportAccess",
    "SupportRequest",
    "SupportVisit",
    "SyncChange",
    "SyncCursor",
    "SyncKind",
    "SyncRun",
    "SyncSchedule",
    "SyncTrigger",
    "Tenant",
    "TotalsMode",
    "TotalsSource",
    "Upkeep",
    "User",
    "VisitMode",
    "WebhookEndpoint",
    "WebhookMessage",
    "WebhookSecret",
]
