# Sourced by scripts/setup: what the machine must bring, and installing it where we may.

readonly supported_pythons=(3.11 3.12 3.10)
# In this order, because the newest pins exist from 3.11 on and 3.11 is tested the most.

# Print the version of the interpreter $1 if the pinned wheels exist for it, else fail.
python_version_if_supported() {
  "$1" - <<'PYTHON' 2>/dev/null
import platform
import sys

version = sys.version_info[:2]
supported = (
    (3, 10) <= version <= (3, 12)
    and platform.python_implementation() == "CPython"
    and platform.machine() == "x86_64"
    and platform.libc_ver()[0] == "glibc"
)
print(f"{version[0]}.{version[1]}")
sys.exit(not supported)
PYTHON
}

# Print what the interpreter $1 lacks: "venv", "dev", both or nothing.
python_lacks() {
  "$1" - <<'PYTHON'
import sysconfig
from pathlib import Path

lacks = []
try:
    import ensurepip
    import venv
except ImportError:
    lacks.append("venv")
if not Path(sysconfig.get_path("include"), "Python.h").is_file():
    lacks.append("dev")
print(*lacks)
PYTHON
}

# Print every interpreter of the supported versions that is installed, best first.
candidate_pythons() {
  local version
  for version in "${supported_pythons[@]}"; do
    type -aP "python$version" || true
    compgen -G "$HOME/.pyenv/versions/$version.*/bin/python$version" || true
    compgen -G "$HOME/.local/share/uv/python/cpython-$version.*-linux-x86_64-gnu/bin/python$version" ||
      true
  done
  type -aP python3 || true
}

# Print the Python to use. One that needs nothing more is preferred.
find_python() {
  if [[ -n ${HAND4D_PYTHON:-} ]]; then
    python_version_if_supported "$HAND4D_PYTHON" >/dev/null || fail \
      "HAND4D_PYTHON=$HAND4D_PYTHON cannot be used." \
      "Give a CPython 3.10, 3.11 or 3.12 for x86-64 with glibc: ROS 2 wheels exist for these."
    printf '%s\n' "$HAND4D_PYTHON"
    return
  fi
  local python incomplete=''
  while IFS= read -r python; do
    python_version_if_supported "$python" >/dev/null || continue
    if [[ -z $(python_lacks "$python") ]]; then
      printf '%s\n' "$python"
      return
    fi
    incomplete=${incomplete:-$python}
  done < <(candidate_pythons)
  if [[ -z $incomplete ]]; then
    fail_without_python
  fi
  printf '%s\n' "$incomplete"
}

fail_without_python() {
  local python found=''
  for python in $(compgen -c python3 | grep -E '^python3(\.[0-9]+)?$' | sort -u); do
    found+=" $python ($("$python" -V 2>&1 | head -n 1))"
  done
  if [[ $(uname -m) != x86_64 ]]; then
    fail "ROS 2 wheels exist for x86-64 only, and this machine is $(uname -m)." \
      "Install ROS 2 itself and build this package with colcon: see README.md."
  fi
  fail "No Python that the pinned ROS 2 wheels exist for: CPython 3.10, 3.11 or 3.12 with glibc." \
    "Found:${found:- none}." \
    "Install one, for instance:  sudo apt-get install python3.11 python3.11-venv python3.11-dev" \
    "or, where the distribution has none:  uv python install 3.11" \
    "or name one:  HAND4D_PYTHON=/path/to/python3.11 scripts/setup"
}

# Print the Debian packages that are missing for the interpreter $1, one a line.
missing_packages() {
  local python=$1 version lacks library
  version=$(python_version_if_supported "$python")
  for lacks in $(python_lacks "$python"); do
    printf 'python%s-%s\n' "$version" "$lacks"
  done
  # A compiler without the headers of the C library is there but cannot compile.
  if ! printf '#include <cstdlib>\nint main() {}\n' |
    "${CXX:-c++}" -x c++ - -o /dev/null 2>/dev/null; then
    printf 'g++\n'
  fi
  command -v make >/dev/null || printf 'make\n'
  # The libraries that the OpenCV wheel takes from the system; every other wheel brings its own.
  while read -r library package; do
    "$python" -c "import ctypes; ctypes.CDLL('$library')" 2>/dev/null || printf '%s\n' "$package"
  done <<'LIBRARIES'
libGL.so.1 libgl1
libgthread-2.0.so.0 libglib2.0-0
libxcb.so.1 libxcb1
LIBRARIES
}

# Install the packages given, or say exactly what to type and end.
install_packages() {
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    as_root=(sudo)
  fi
  local command="${as_root[*]:+sudo }apt-get install -y --no-install-recommends $*"
  if ! command -v apt-get >/dev/null; then
    fail "Missing, by their Debian names: $*" "Install them with this machine's package manager."
  fi
  if [[ ${#as_root[@]} -gt 0 ]] && ! sudo -n true 2>/dev/null; then
    fail "Missing: $*" "Type this, then start again:" "  sudo apt-get update && $command"
  fi
  say "Installing with apt-get: $*"
  # -E is not enough: sudo drops variables that its policy does not know.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' apt "$@" >&2 ||
    fail "apt-get failed. Type this, then start again:" "  $command"
}

# Make sure that the system brings what the interpreter $1 and the build need.
require_system() {
  local python=$1 packages
  mapfile -t packages < <(missing_packages "$python")
  [[ ${#packages[@]} -eq 0 ]] && return
  install_packages "${packages[@]}"
  mapfile -t packages < <(missing_packages "$python")
  [[ ${#packages[@]} -eq 0 ]] || fail "Still missing after the installation: ${packages[*]}" \
    "If $python is no Python of this distribution, its own installer has to add these."
}
