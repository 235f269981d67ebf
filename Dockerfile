FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data

WORKDIR /app

# First what changes seldom: the layers are kept while requirements.txt stays.
# ffmpeg puts fMP4, DASH, RTSP and the like into a transport stream; nothing is transcoded.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

COPY gunicorn.conf.py wsgi.py ./
COPY kptv ./kptv

# A new named volume takes over the owner of the folder that it is mounted on.
RUN useradd --uid 1000 --no-create-home --home-dir /nonexistent kptv \
    && install -d -o 1000 -g 1000 /data
VOLUME /data
USER 1000

EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection(os.environ.get('HOST') or '127.0.0.1', int(os.environ.get('PORT') or 8080), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]

# Exec form: gunicorn gets SIGTERM itself, and is out within 2 s.
CMD ["gunicorn", "-k", "gevent", "wsgi:app"]
