"""Superset's settings for the suite: everything on this machine, nothing kept."""

import os

SECRET_KEY = "of no worth outside this suite"
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_METADATA']}?check_same_thread=false"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
