PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SHARED ?= ../shared
DATA ?= $(SHARED)/photos
NETS ?= $(SHARED)/nets
KODAK ?= $(SHARED)/kodak
REFERENCE ?= $(SHARED)/reference
STATE ?= ../train-state
PRESET ?= base
WEIGHTS ?= weights
BASELINES := mse perception
ROUNDS ?= 40
RUNS ?= 500000
WORKERS ?= 2
CORPUS ?= fuzz-corpus

.PHONY: help demo test test-slow test-cluster fuzz lint golden bench speed train clean
.PHONY: bench-needs train-needs test-versions

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# torch first and pinned: an open range would take the build with gigabytes of CUDA libraries
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(READY)  ## Compress and decode the shipped photo
	mkdir -p demo
	$(BIN)/gccodec encode tests/photos/coffee.png -o demo/coffee.gcz --bpp 0.05 -f -v
	$(BIN)/gccodec info demo/coffee.gcz
	$(BIN)/gccodec decode demo/coffee.gcz -o demo/coffee.png -f -v
	@echo "compare tests/photos/coffee.png with demo/coffee.png"

test: lint  ## Lint, type-check and run the tests, in WORKERS=2 processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-slow: $(READY)  ## Big sweeps and fuzzing; figures go into tests/results/
	$(BIN)/python -m pytest -m slow
	GCCODEC_MUTATIONS=5000000 $(BIN)/python -m pytest -s tests/test_mutations.py

# an environment for each Python that is here, with a CUDA build of torch of 3 to 5 GB
test-versions: $(READY)  ## The tests with each Python, and with torch's oldest and newest version
	$(BIN)/python tests/versions.py --workers $(WORKERS)

# Ray and the servers are heavy, hence not in `dev`; sftp is skipped where there is no sshd
test-cluster: $(READY)  ## Archives on a Ray cluster of two nodes, on S3 and on sftp, all on loopback
	$(BIN)/pip install -q --disable-pip-version-check -e '.[cluster]'
	$(BIN)/python -m pytest -m cluster tests/cluster

# atheris itself grows by 2.6 KB a run, hence several processes
fuzz: $(READY)  ## Coverage-guided fuzzing in ROUNDS=40 of RUNS=500000; CORPUS=folder
	$(BIN)/pip install -q --disable-pip-version-check atheris
	set -e; for i in $$(seq $(ROUNDS)); do \
	  $(BIN)/python -m tests.fuzz $(CORPUS) -runs=$(RUNS) -max_len=4096 -timeout=5; done

lint: $(READY)
	$(BIN)/ruff check gccodec tests
	$(BIN)/ruff format --check gccodec tests
	$(BIN)/mypy

golden: $(READY)  ## Add golden files for cases that have none; what is there stays as it is
	$(BIN)/python -m tests.golden.regenerate

# what is not in the repository is asked for before anything is set up or trained
TRAIN_NEEDS := DATA=folder of photographs, NETS=folder that "gccodec nets --out folder" has made
train-needs:
	@test -d $(DATA) -a -d $(NETS) || { echo 'give $(TRAIN_NEEDS); not there: $(DATA) or $(NETS)' >&2; exit 2; }

bench-needs: train-needs
	@test -d $(KODAK) || { echo 'give KODAK=folder of the 24 Kodak pictures as PNG; not there: $(KODAK)' >&2; exit 2; }

# the shipped model trained on without adversaries, or for MSE alone; delete the folders after new weights
# (photographs and label maps that an earlier run has prepared are used again)
$(STATE)/%/manifest.json: | $(READY)
	mkdir -p $(@D)
	for made in photos labels.u8; do test ! -e $(STATE)/$$made || ln -sfn ../$$made $(@D)/$$made; done
	$(BIN)/gccodec train --data $(DATA) --nets $(NETS) --state $(@D) --stage generative --preset $* \
	  --start weights
	$(BIN)/gccodec export $(@D)/generative.safetensors --preset $* --out $(@D)

bench: bench-needs $(READY) $(BASELINES:%=$(STATE)/%/manifest.json)  ## Quality on Kodak beside other codecs and our baselines; pictures in bench/
	$(BIN)/gccodec bench --pictures $(KODAK) --nets $(NETS) $(if $(wildcard $(REFERENCE)),--reference $(REFERENCE)) --avif --views bench
	set -e; for baseline in $(BASELINES); do echo "baseline $$baseline"; \
	  $(BIN)/gccodec bench --pictures $(KODAK) --nets $(NETS) --bpp 0.05 --bpp 0.10 --effort 0 \
	    --weights $(STATE)/$$baseline; done

speed: $(READY)  ## Time of each part beside what this machine allows; BEFORE=../other-checkout times that in turns
	$(BIN)/gccodec bench --speed --pictures tests/photos --table tests/results/speed.tsv $(if $(BEFORE),--before $(BEFORE))

# large tensors from the heap, not mapped and zeroed each time: steps take 0.88 of the time
train: export MALLOC_MMAP_THRESHOLD_ = 8589934592
train: export MALLOC_TRIM_THRESHOLD_ = 17179869184
train: train-needs $(READY)  ## Train every stage from scratch and export; resumes; DATA, NETS, STATE, WEIGHTS=folder, PRESET=base
	set -e; for stage in 1 entropy distance generative labels; do \
	  $(BIN)/gccodec train --data $(DATA) --nets $(NETS) --state $(STATE) --preset $(PRESET) --stage $$stage; done
	$(BIN)/gccodec export $(STATE)/generative.safetensors --preset $(PRESET) --out $(WEIGHTS)
	set -e; for stage in labels distance; do \
	  $(BIN)/gccodec export $(STATE)/$$stage.safetensors --preset $(PRESET) --out $(WEIGHTS); done

clean:  ## Remove everything that was made here
	rm -rf $(VENV) .versions demo bench fuzz-corpus build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
