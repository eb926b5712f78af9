"""Report formats, one file each: `bench.contracts.ReportFormat`. `bench report` writes every one of them."""
