"""Django settings of mk0r: every value comes from the environment, and a bad one stops the start and names itself.

`.env.example` lists each name. `manage.py up` fills in what a laptop needs (Postgres, secrets, localcloud's addresses);
nothing here knows whether a vendor is real or a stand-in.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from mk0r.environment import Environment
from provisioning import rates, rsa_keys

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
TESTING = "pytest" in sys.modules
if not TESTING:
    # What the operator wrote, then what `manage.py up` settled on; the process's own environment goes before both.
    environ.Env.read_env(BASE_DIR / ".env", overwrite=False)
    environ.Env.read_env(Path(env.str("MK0R_VAR", default=str(BASE_DIR / ".var"))) / "environment", overwrite=False)
DEBUG = False

# --- ours -------------------------------------------------------------------------------------------------------------
MK0R_VAR = Path(env.str("MK0R_VAR", default=str(BASE_DIR / ".var"))).resolve()
MK0R_BIND = env.str("MK0R_BIND", default="127.0.0.1")
MK0R_PORT = env.int("MK0R_PORT", default=8000)
PUBLIC_URL = env.address("PUBLIC_URL", default=f"http://localhost:{MK0R_PORT}")
_public_host = urlsplit(PUBLIC_URL).hostname or ""
IS_PUBLIC = _public_host not in {"localhost", "127.0.0.1", "::1"} and not _public_host.endswith(".localhost")
# What a sandbox calls us by: the public address, or on one machine the loopback port its relay lets through.
GATEWAY_URL = PUBLIC_URL if IS_PUBLIC else f"http://127.0.0.1:{MK0R_PORT}"
MK0R_MODEL = env.str("MK0R_MODEL", default="")
MK0R_WORKER_INLINE = env.bool("MK0R_WORKER_INLINE", default=False)
MK0R_TURN_LIMIT = env.int("MK0R_TURN_LIMIT", default=6 if IS_PUBLIC else 0)  # 0: no limit
MK0R_SESSION_TTL = env.int("MK0R_SESSION_TTL", default=24 * 3600)  # seconds
MK0R_ABANDONED_TTL = env.int("MK0R_ABANDONED_TTL", default=20 * 60)
MK0R_IDLE_PAUSE = env.int("MK0R_IDLE_PAUSE", default=20 * 60)
MK0R_BUDGET_USD = env.float("MK0R_BUDGET_USD", default=0.0)  # per session; 0: no cap
MK0R_DAILY_USD = env.float("MK0R_DAILY_USD", default=0.0)  # on the model, over all sessions; 0: no cap
MK0R_ALLOW_UNISOLATED = env.bool("MK0R_ALLOW_UNISOLATED", default=False)  # a real model in a plain process
MK0R_AGENT_RETRIES = env.int("MK0R_AGENT_RETRIES", default=8)  # of a call to the model, with a growing pause between
MK0R_MODEL_SILENCE = env.float("MK0R_MODEL_SILENCE", default=120)  # seconds until the model's answer has to begin
MK0R_ALERT_URL = env.str("MK0R_ALERT_URL", default="")  # takes every alert as JSON by POST
MK0R_SWEEP_SECONDS = env.float("MK0R_SWEEP_SECONDS", default=300)  # between two looks at the vendors' inventories
MK0R_SWEEP_GRACE = env.float("MK0R_SWEEP_GRACE", default=600)  # seconds; what is younger is not swept
_https = PUBLIC_URL.startswith("https://")
# In front of this process, each adding to X-Forwarded-For. We end no TLS, so where there is some there is a proxy.
MK0R_PROXIES = env.int("MK0R_PROXIES", default=1 if _https else 0)
MK0R_MAIL_LIMIT = env.int("MK0R_MAIL_LIMIT", default=200)  # recipients per session, in all
# How soon what a dead process left is taken up. Shorter means more looking; each is in seconds.
MK0R_WORKER_SILENCE = env.float("MK0R_WORKER_SILENCE", default=15)  # three heartbeats missed: its jobs go to another
MK0R_JOB_POLL = env.float(
    "MK0R_JOB_POLL", default=5
)  # a job that waits for its time, or for a lock, is found by looking
MK0R_SAFETY_NET = env.float("MK0R_SAFETY_NET", default=15)  # then a job does what a live process has done by then
MK0R_LATE = env.float("MK0R_LATE", default=40)  # past every leg's deadline: nobody who began a session waits for it
MK0R_PREVIEW_PATIENCE = env.float("MK0R_PREVIEW_PATIENCE", default=60)  # how long a silent preview is asked again


def _secret(name: str, test_value: str) -> str:
    """Read a secret that has no default outside the test run."""
    value = str(env.str(name, default=test_value if TESTING or "mypy" in sys.modules else ""))
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. `make run` makes one for you; in production set it yourself.")
    return value


SECRET_KEY = _secret("SECRET_KEY", "test-only-" + "x" * 50)
# "kid:base64(32 bytes)[,kid:base64…]": the first encrypts, all decrypt.
MK0R_ENCRYPTION_KEYS = _secret("MK0R_ENCRYPTION_KEYS", "t1:" + "dGVzdC1vbmx5LTMyLWJ5dGVzLWtleS0wMDAwMDAwMDA=")


def _private_key(name: str) -> str:
    """An RSA key in PEM, however it was handed over; empty where none was."""
    given = str(env.str(name, default=""))
    try:
        return rsa_keys.read_pem(given) if given else ""
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def _number(name: str) -> str:
    """A number that a vendor gave something, as text; empty where none is set."""
    given = str(env.str(name, default=""))
    if given and not (given.isascii() and given.isdigit()):
        raise ImproperlyConfigured(f"{name} must be a number.")
    return given


# --- vendors: addresses and keys ------------------------------------------------------------------------------------
NEON_API_URL = env.address("NEON_API_URL", default="https://console.neon.tech/api/v2")
NEON_CONSOLE_URL = env.address("NEON_CONSOLE_URL", default="https://console.neon.tech/app/projects")
NEON_API_KEY = env.key("NEON_API_KEY")
NEON_ORG_ID = env.str("NEON_ORG_ID", default="")
NEON_REGION = env.str("NEON_REGION", default="aws-us-east-2")
NEON_PG_VERSION = env.int("NEON_PG_VERSION", default=17)
RESEND_API_URL = env.address("RESEND_API_URL", default="https://api.resend.com")
RESEND_API_KEY = env.key("RESEND_API_KEY")
RESEND_DOMAIN_ID = env.str("RESEND_DOMAIN_ID", default="")
RESEND_FROM = env.str("RESEND_FROM", default="onboarding@resend.dev")
GITHUB_API_URL = env.address("GITHUB_API_URL", default="https://api.github.com")
GITHUB_GIT_URL = env.address("GITHUB_GIT_URL", default="https://github.com")
GITHUB_TOKEN = env.key("GITHUB_TOKEN")
GITHUB_APP_ID = env.str("GITHUB_APP_ID", default="").strip()  # an App in place of the token: its number or client id
GITHUB_APP_PRIVATE_KEY = _private_key("GITHUB_APP_PRIVATE_KEY")
GITHUB_INSTALLATION_ID = _number("GITHUB_INSTALLATION_ID")
GITHUB_OWNER = env.str("GITHUB_OWNER", default="")  # an organisation; empty: the token's own user
POSTHOG_HOST = env.address("POSTHOG_HOST", default="https://us.i.posthog.com")
POSTHOG_PROJECT_KEY = env.key("POSTHOG_PROJECT_KEY")
E2B_API_URL = env.address("E2B_API_URL", default="https://api.e2b.app")
E2B_SANDBOX_URL = env.address("E2B_SANDBOX_URL", default="")
E2B_API_KEY = env.key("E2B_API_KEY")
E2B_TEMPLATE = env.str("E2B_TEMPLATE", default="mk0r")
ANTHROPIC_BASE_URL = env.address("ANTHROPIC_BASE_URL", default="https://api.anthropic.com")
ANTHROPIC_API_KEY = env.key("ANTHROPIC_API_KEY")
# Seconds each leg may take in all before the session goes on without it (it may still arrive late).
LEG_DEADLINES = {
    "neon": env.float("NEON_DEADLINE", default=30),
    "resend": env.float("RESEND_DEADLINE", default=15),
    "github": env.float("GITHUB_DEADLINE", default=15),
    "e2b": env.float("E2B_DEADLINE", default=30),
}


def _rates(name: str, default: str) -> tuple[rates.Rate, ...]:
    try:
        return rates.parse(env.str(name, default=default))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def _budget(name: str) -> tuple[rates.Rate, ...] | None:
    """A vendor's budget as it is set, None where it is not."""
    return None if env.str(name, default="unset") == "unset" else _rates(name, default="")


# Requests a vendor gets over all processes; where none is set, the defaults of provisioning/budgets.py hold.
VENDOR_BUDGETS = {
    "neon": _budget("NEON_BUDGET"),
    "resend": _budget("RESEND_BUDGET"),
    "github": _budget("GITHUB_BUDGET"),
    "e2b": _budget("E2B_BUDGET"),
}
MK0R_SESSIONS_PER_NETWORK = _rates("MK0R_SESSIONS_PER_NETWORK", default="30/h,100/d" if IS_PUBLIC else "")
MK0R_OPEN_SESSIONS = env.int("MK0R_OPEN_SESSIONS", default=0)  # at once, of all visitors together; 0: no limit
MK0R_QUEUE_SECONDS = env.float("MK0R_QUEUE_SECONDS", default=600)  # a leg may wait for its place there

# --- Django -----------------------------------------------------------------------------------------------------------
ALLOWED_HOSTS = sorted({_public_host, "localhost", "127.0.0.1", "[::1]", *env.list("MK0R_ALLOWED_HOSTS", default=[])})
INSTALLED_APPS = [
    "daphne",
    "staff.apps.ConsoleConfig",  # Django's admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "procrastinate.contrib.django",
    "csp",
    "ninja",
    "mk0r",
    "provisioning",
    "sessions_app",
    "gateway",
    "staff.apps.StaffConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mk0r.one_name.one_name",
    "mk0r.refusals.in_the_apis_shape",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "mk0r.urls"
ASGI_APPLICATION = "mk0r.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", BASE_DIR / "staff" / "templates"],  # ours before those of Django's admin
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database() -> dict[str, Any]:
    """What DATABASE_URL says. What is wrong with it is not repeated: that would be a piece of its password."""
    try:
        found = dict(env.db_url("DATABASE_URL", default="postgres://mk0r@127.0.0.1:1/unset"))
    except ValueError:
        said = "DATABASE_URL is no database's address; in its password, / ? # @ and % have to be percent-encoded."
        raise ImproperlyConfigured(said) from None
    if found["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must be of a Postgres database: postgres://user:password@host/name.")
    return found


DATABASES = {"default": _database()}
DATABASES["default"]["CONN_MAX_AGE"] = 0
# After a restart of Postgres every pooled connection is dead; a request waits for a live one instead of finding out.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),  # of DATABASE_URL: sslmode and its like
    "pool": {"min_size": 1, "max_size": env.int("MK0R_DB_POOL", default=12), "timeout": 15},
    # Transactions here take milliseconds. One that idles belongs to a process that stands still, and holds up others.
    "options": f"-c idle_in_transaction_session_timeout={max(1, round(MK0R_WORKER_SILENCE * 1000))}",
}
if TESTING:
    DATABASES["default"]["OPTIONS"] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_REDIS_URL = env.str("CHANNEL_REDIS_URL", default="")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [CHANNEL_REDIS_URL]},
    }
    if CHANNEL_REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}
PROCRASTINATE_IMPORT_PATHS = ["provisioning.tasks", "sessions_app.tasks", "staff.tasks"]

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "staff.formats"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = not IS_PUBLIC

# --- staff ------------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "staff.backend.StaffBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
SESSION_COOKIE_AGE = 12 * 3600
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "staff.signing.client_ip"
AXES_LOCKOUT_CALLABLE = "staff.signing.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # what is said of when it ends has to hold
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "reason"]
AXES_DISABLE_ACCESS_LOG = True  # the audit log tells of it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- the browser's side of safety -----------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-sessionid" if _https else "sessionid"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^api/health$"]  # asked for by whoever watches this process, without the proxy
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # what the domain's other hosts do is not ours to say
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# Previews live on origins of their own: a local sandbox's port, or the sandbox vendor's domain.
MK0R_PREVIEW_DOMAIN = env.str("MK0R_PREVIEW_DOMAIN", default="")
_cloud_port = urlsplit(E2B_SANDBOX_URL).port
PREVIEW_FRAME_SOURCES = (
    [f"http://*.localhost:{_cloud_port}", "http://127.0.0.1:*"]
    if E2B_SANDBOX_URL.startswith("http://")
    else [f"https://*.{MK0R_PREVIEW_DOMAIN or 'e2b.app'}"]
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", *PREVIEW_FRAME_SOURCES],
        "frame-src": PREVIEW_FRAME_SOURCES,
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "formatters": {
        "line": {"()": "mk0r.log_redaction.Formatter", "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "root": {"handlers": ["console"], "level": env.str("MK0R_LOG_LEVEL", default="INFO")},
    "loggers": {name: {"level": "WARNING"} for name in ("daphne", "httpx", "procrastinate", "connectrpc", "e2b")}
    # Every scanner's Host header would otherwise write a traceback; it is answered with 400 and that is enough.
    | {"django.security.DisallowedHost": {"level": "CRITICAL"}},
}
