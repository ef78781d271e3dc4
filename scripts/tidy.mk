# clang-tidy over SOURCES, one by one: again only where a source, one of our headers that it includes or the checks
# have changed since it was clean. Run by scripts/lint.   BUILD: where the generated headers are
SHELL := bash
FLAGS := -std=c++20 -I. -isystem $(BUILD)/generated -DQUIPU_SOURCE_DIR='"$(CURDIR)"'
STAMPS := $(SOURCES:%=$(BUILD)/tidy/%.clean)

.PHONY: all
all: $(STAMPS)

$(BUILD)/tidy/%.clean: % .clang-tidy $(wildcard proto/*/*.proto)
	@echo "tidy $<"
	mkdir -p $(@D)
	report=$$(clang-tidy-19 --quiet $< -- $(FLAGS) 2>&1) || { echo "$$report"; exit 1; }
	clang++-19 $(FLAGS) -MM -MP -MT $@ -MF $(@:.clean=.d) $<
	touch $@

-include $(wildcard $(STAMPS:.clean=.d))
