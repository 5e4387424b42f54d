{{- define "causeway.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "causeway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: causeway
{{- end }}

{{- define "causeway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "causeway.serviceAccount" -}}
{{ .Values.serviceAccount.existing | default (include "causeway.name" .) }}
{{- end }}

{{/* An image by digest where there is one, else by tag. */}}
{{- define "causeway.image" -}}
{{- with .image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.version }}{{ end }}{{ end }}
{{- end }}

{{/* What is no secret; it is the ConfigMap, and stands in the migration, which runs before it. */}}
{{- define "causeway.settings" -}}
GATEWAY_MODE: production
GATEWAY_PUBLIC_URL: {{ .Values.publicUrl | quote }}
GATEWAY_STATE_DIR: /var/lib/causeway
GATEWAY_POLICIES: /etc/causeway/policies/policies.tar.gz
GATEWAY_POLICY_KEY: {{ .Values.policies.publicKeys | quote }}
GATEWAY_OPA_URL: http://127.0.0.1:8181
GATEWAY_DRAIN: {{ .Values.drainSeconds | quote }}
GATEWAY_TRUSTED_PROXIES: {{ join " " .Values.trustedProxies | quote }}
GATEWAY_METRICS_FROM: {{ join " " .Values.metricsFrom | quote }}
{{- range $name, $source := .Values.sources }}
{{- $capital := $name | upper | replace "-" "_" }}
GATEWAY_SOURCE_{{ $capital }}_URL: {{ $source.url | quote }}
{{- with $source.timeout }}
GATEWAY_SOURCE_{{ $capital }}_TIMEOUT: {{ . | quote }}
{{- end }}
{{- if $source.secret }}
GATEWAY_SOURCE_{{ $capital }}_SECRET_FILE: /run/secrets/sources/{{ $name }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Where the secrets are. */}}
{{- define "causeway.secrets" -}}
- {name: GATEWAY_DATABASE_URL_FILE, value: /run/secrets/runtime/database_url}
- {name: GATEWAY_GUARD_URL_FILE, value: /run/secrets/runtime/guard_url}
- {name: GATEWAY_REDIS_URL_FILE, value: /run/secrets/runtime/redis_url}
- {name: GATEWAY_KEY_ENCRYPTION_KEY_FILE, value: /run/secrets/runtime/key_encryption_key}
{{- end }}

{{- define "causeway.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: state, mountPath: /var/lib/causeway}
- {name: policies, mountPath: /etc/causeway/policies, readOnly: true}
- {name: runtime, mountPath: /run/secrets/runtime, readOnly: true}
{{- if .Values.existingSecrets.sources }}
- {name: sources, mountPath: /run/secrets/sources, readOnly: true}
{{- end }}
{{- end }}

{{- define "causeway.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
- name: state
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
- name: policies
  configMap:
    name: {{ .Values.policies.existingConfigMap }}
    items: [{key: policies.tar.gz, path: policies.tar.gz}]
- name: runtime
  secret:
    secretName: {{ .Values.existingSecrets.runtime }}
    defaultMode: 0440
    items:
      - {key: database_url, path: database_url}
      - {key: guard_url, path: guard_url}
      - {key: redis_url, path: redis_url}
      - {key: key_encryption_key, path: key_encryption_key}
{{- with .Values.existingSecrets.sources }}
- name: sources
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* The restricted Pod Security Standard, and a root file system that nobody writes. */}}
{{- define "causeway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "causeway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "causeway.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
