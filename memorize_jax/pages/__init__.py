"""What pages are made of: templates, tables to sort and download, sections."""
