# Sourced: clear the caller's Python and pip out of the environment, so that the project's own environment is used.
#
# A PYTHONPATH, a PIP_TARGET or a PYTHONHOME of another project would put other modules in front, or packages elsewhere; others make an error of
# each warning, or leave checks out. What tells pip how to reach an index is kept, and what changes only how Python prints and caches.
for variable in ${!PYTHON@}; do
  case $variable in
    PYTHON3) ;; # the project's own variable
    PYTHONUNBUFFERED | PYTHONDONTWRITEBYTECODE | PYTHONPYCACHEPREFIX | PYTHONFAULTHANDLER | PYTHONUTF8 | PYTHONIOENCODING | PYTHONHASHSEED) ;;
    *) unset "$variable" ;;
  esac
done
export PYTHONNOUSERSITE=1
for variable in ${!PIP_@}; do
  case $variable in
    PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_TRUSTED_HOST | PIP_CERT | PIP_CLIENT_CERT | PIP_PROXY) ;;
    PIP_TIMEOUT | PIP_DEFAULT_TIMEOUT | PIP_RETRIES | PIP_CACHE_DIR | PIP_NO_CACHE_DIR | PIP_CONFIG_FILE | PIP_KEYRING_PROVIDER) ;;
    *) unset "$variable" ;;
  esac
done
# Goes before `user = true` of a pip.conf.
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
# A wheelhouse (`make wheelhouse`) instead of an index.
if [ -n "${WHEELHOUSE:-}" ]; then
  export PIP_NO_INDEX=1 PIP_FIND_LINKS="file://${WHEELHOUSE// /%20}"
fi
